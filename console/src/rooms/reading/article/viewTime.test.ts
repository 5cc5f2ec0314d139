import { describe, expect, it } from 'vitest';

import { ViewClock } from './viewTime';

function clockAt(visible = true) {
  const at = { ms: 0 };
  return { at, clock: new ViewClock(visible, () => at.ms) };
}

describe('the view clock', () => {
  it('runs only while the page is in sight', () => {
    const { at, clock } = clockAt();
    at.ms = 4_000;
    clock.hide();
    at.ms = 60_000;
    expect(clock.seconds).toBe(4);
    clock.show();
    at.ms = 61_000;
    expect(clock.seconds).toBe(5);
  });
  it('begins when a page opened in the background is first looked at', () => {
    const { at, clock } = clockAt(false);
    at.ms = 9_000;
    clock.show();
    clock.show();
    at.ms = 11_000;
    expect(clock.seconds).toBe(2);
  });
  it('has something to tell once a second has been added', () => {
    const { at, clock } = clockAt();
    at.ms = 900;
    expect(clock.worthTelling()).toBeNull();
    at.ms = 3_000;
    expect(clock.worthTelling()).toBe(3);
    at.ms = 3_500;
    expect(clock.worthTelling()).toBeNull();
    at.ms = 9_000;
    expect(clock.worthTelling()).toBe(9);
  });
});
