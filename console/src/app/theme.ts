/** The console's look, in one place: one accent, one family, quiet surfaces. */

import {
  ActionIcon,
  Anchor,
  Badge,
  Button,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  Menu,
  NavLink,
  Paper,
  Textarea,
} from '@mantine/core';

const cobalt: MantineColorsTuple = [
  '#eef2ff',
  '#dde4fe',
  '#bfccfd',
  '#a3b6ff',
  '#8ba1fb',
  '#4a66de',
  '#2f50cf',
  '#2744b4',
  '#203997',
  '#182b73',
];

const ink: MantineColorsTuple = [
  '#e9e9ee',
  '#c6c6cf',
  '#a3a3b0',
  '#7c7c8a',
  '#34343e',
  '#3a3a44',
  '#2b2b33',
  '#202027',
  '#17171c',
  '#101014',
];

const SYSTEM_SANS = 'ui-sans-serif, system-ui, sans-serif';

export const theme = createTheme({
  colors: { cobalt, dark: ink },
  primaryColor: 'cobalt',
  primaryShade: { light: 6, dark: 5 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  fontFamily: `'Instrument Sans Variable', ${SYSTEM_SANS}`,
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  lineHeights: { md: '1.6' },
  headings: {
    fontFamily: `'Instrument Sans Variable', ${SYSTEM_SANS}`,
    fontWeight: '600',
    sizes: {
      h1: { fontSize: 'clamp(1.9rem, 1.3rem + 2.2vw, 2.75rem)', lineHeight: '1.12' },
      h2: { fontSize: '1.35rem', lineHeight: '1.3' },
      h3: { fontSize: '1.05rem', lineHeight: '1.4' },
    },
  },
  components: {
    Anchor: Anchor.extend({ defaultProps: { underline: 'hover' } }),
    Badge: Badge.extend({ defaultProps: { tt: 'none', fw: 600 } }),
    Button: Button.extend({ defaultProps: { fw: 550 } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray' } }),
    // A menu may hold items only; its first item takes the focus.
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false } }),
    NavLink: NavLink.extend({ defaultProps: { variant: 'subtle' } }),
    Paper: Paper.extend({ defaultProps: { radius: 'lg', withBorder: true } }),
    // With kerning, a variable font takes the browser seconds for 20,000 letters without a space.
    Textarea: Textarea.extend({ styles: { input: { fontKerning: 'none' } } }),
  },
});

/** Colors that Mantine has no name for; `--mood-*` are AA on both surfaces of their scheme. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-text': '#1a1a20',
    '--mantine-color-dimmed': '#5d5d69',
    '--mantine-color-placeholder': '#6f6f7b',
    '--mantine-color-default-border': '#dcdce2',
    '--surface-page': '#f7f7f9',
    '--line-quiet': '#e7e7ec',
    '--mood-positive': '#0a7a68',
    '--mood-neutral': '#6d6c78',
    '--mood-negative': '#bc4420',
    '--accent': '#2f50cf',
    '--track': '#ececf1',
    '--failure': '#b3261e',
    '--danger': '#b3261e',
    '--mantine-color-cobalt-light-color': '#2744b4',
    '--mantine-color-cobalt-light': '#eef2ff',
    '--mantine-color-cobalt-light-hover': '#e3e9ff',
    '--mantine-color-cobalt-outline': '#2f50cf',
  },
  dark: {
    '--mantine-color-body': '#1b1b21',
    '--mantine-color-text': '#ececf1',
    '--mantine-color-dimmed': '#a3a3b0',
    '--mantine-color-placeholder': '#8e8e9c',
    '--mantine-color-default-border': '#3a3a44',
    '--surface-page': '#131317',
    '--line-quiet': '#2a2a32',
    '--mood-positive': '#4fc7af',
    '--mood-neutral': '#a8a7b4',
    '--mood-negative': '#f28c66',
    '--accent': '#a3b6ff',
    '--track': '#2d2d36',
    '--failure': '#ff8f85',
    '--danger': '#c4453c',
    '--mantine-color-cobalt-light-color': '#a3b6ff',
    '--mantine-color-cobalt-light': '#23284a',
    '--mantine-color-cobalt-light-hover': '#2a3058',
    '--mantine-color-cobalt-outline': '#a3b6ff',
  },
});
