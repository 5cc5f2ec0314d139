import { Button, Menu, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconCheck, IconFlag } from '@tabler/icons-react';

import { asFailure, explain } from '../server/problem';
import { useFeedback } from './feedback';
import { appearance, inOrder } from './mood';
import { MoodMark } from './MoodMark';

interface Props {
  readonly text: string;
  readonly label: string;
  readonly labels: readonly string[];
}

/** "This is wrong": choose the mood that would be right, and the text is kept with it. */
export function WrongMood({ text, label, labels }: Props) {
  const feedback = useFeedback();
  const send = (right: string) =>
    feedback.mutate(
      { text, label: right },
      {
        onError: (error) => {
          const { title, advice } = explain(asFailure(error), { automatic: false });
          notifications.show({ color: 'red', title, message: `It was not sent. ${advice}` });
        },
      },
    );
  if (feedback.isSuccess) {
    return (
      <Text size="sm" c="dimmed" role="status">
        <IconCheck size={15} aria-hidden="true" /> Noted. Thank you.
      </Text>
    );
  }
  return (
    <Menu position="bottom-end" withinPortal width={250}>
      <Menu.Target>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray"
          leftSection={<IconFlag size={15} stroke={1.6} />}
          loading={feedback.isPending}
        >
          This is wrong
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>It should be</Menu.Label>
        {inOrder(labels)
          .filter((other) => other !== label)
          .map((other) => (
            <Menu.Item
              key={other}
              leftSection={<MoodMark label={other} size={15} />}
              onClick={() => send(other)}
            >
              {appearance(other).word}
            </Menu.Item>
          ))}
        <Menu.Divider />
        <Menu.Label>Choosing one keeps this text on the server, as yours.</Menu.Label>
      </Menu.Dropdown>
    </Menu>
  );
}
