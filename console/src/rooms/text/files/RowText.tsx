import { Button, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';

import { characters } from '../characters';
import { ROW_CHARS, type Row } from './jobs';

/** A row's text: three lines of it, and the rest when asked. */
export function RowText({ row: { row, text } }: { readonly row: Row }) {
  const [open, setOpen] = useState(false);
  const { ref, cut } = useCut(!open);
  return (
    <>
      <Text ref={ref} size="sm" className="wraps" {...(open ? {} : { lineClamp: 3 })}>
        {text}
      </Text>
      {open && characters(text) >= ROW_CHARS && (
        <Text size="sm" c="dimmed">
          The first {ROW_CHARS} characters; the CSV has all of it.
        </Text>
      )}
      {(cut || open) && (
        <Button
          size="compact-xs"
          variant="subtle"
          ml={-8}
          mt={2}
          aria-expanded={open}
          aria-label={`${open ? 'Show less' : 'Show more'} of row ${row}`}
          onClick={() => setOpen(!open)}
        >
          {open ? 'Show less' : 'Show more'}
        </Button>
      )}
    </>
  );
}

/** Whether an element that is `clamped` holds more than it shows, at whatever width it has. */
function useCut(clamped: boolean) {
  const ref = useRef<HTMLParagraphElement>(null);
  const [cut, setCut] = useState(false);
  useEffect(() => {
    const shown = ref.current;
    if (!clamped || shown === null) return undefined;
    const watch = new ResizeObserver(() => setCut(shown.scrollHeight > shown.clientHeight + 1));
    watch.observe(shown);
    return () => watch.disconnect();
  }, [clamped]);
  return { ref, cut };
}
