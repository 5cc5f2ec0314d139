import { Button, Menu, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconCheck, IconFlag } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';

import { focusIfLost } from '../app/focus';
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
  const thanks = useRef<HTMLSpanElement>(null);
  const noted = feedback.isSuccess;
  useEffect(() => {
    if (noted) focusIfLost(thanks.current);
  }, [noted]);
  return (
    <div>
      {/* Mounted before it says anything, so that screen readers tell the change. */}
      <Text ref={thanks} component="span" size="sm" c="dimmed" role="status" tabIndex={-1}>
        {noted && (
          <>
            <IconCheck size={15} aria-hidden="true" /> Noted. Thank you.
          </>
        )}
      </Text>
      {!noted && (
        <Choice label={label} labels={labels} busy={feedback.isPending} onChoose={send} />
      )}
    </div>
  );
}

interface ChoiceProps extends Omit<Props, 'text'> {
  readonly busy: boolean;
  readonly onChoose: (right: string) => void;
}

function Choice({ label, labels, busy, onChoose }: ChoiceProps) {
  return (
    <Menu position="bottom-end" withinPortal width={250}>
      <Menu.Target>
        <Button
          size="compact-sm"
          variant="subtle"
          color="gray"
          leftSection={<IconFlag size={15} stroke={1.6} />}
          loading={busy}
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
              onClick={() => onChoose(other)}
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
