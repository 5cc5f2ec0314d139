import { appearance, moodColor } from './mood';

interface Props {
  readonly label: string;
  /** Side in pixels. */
  readonly size?: number;
}

/** A mood's shape in its color. Decorative: the mood's word always stands beside it. */
export function MoodMark({ label, size = 20 }: Props) {
  const { outline, mouth, shape } = appearance(label);
  return (
    <svg
      viewBox="0 0 20 20"
      width={size}
      height={size}
      aria-hidden="true"
      focusable="false"
      data-shape={shape}
      className="mood-mark"
    >
      <path d={outline} fill={moodColor(label)} />
      <path
        d={mouth}
        fill="none"
        stroke="var(--mantine-color-body)"
        strokeWidth="2"
        strokeLinecap="round"
      />
    </svg>
  );
}
