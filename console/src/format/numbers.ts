/** How the console writes numbers, times and sizes. Pure functions, one locale: English. */

const counts = new Intl.NumberFormat('en-US');
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export function count(value: number): string {
  return counts.format(value);
}

export function compactCount(value: number): string {
  return compact.format(value);
}

/** "1 row", "2 rows". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A share in [0, 1] as a percentage; never "100%" or "0%" for what is only nearly so. */
export function percent(share: number, decimals = 1): string {
  if (!Number.isFinite(share)) return '–';
  const least = 10 ** -decimals;
  const value = share * 100;
  if (value > 0 && value < least) return `<${least.toFixed(decimals)}%`;
  if (value < 100 && value > 100 - least) return `>${(100 - least).toFixed(decimals)}%`;
  return `${value.toFixed(decimals)}%`;
}

/** Seconds in words short enough for a progress line: "less than a second", "42 s", "3 min 5 s". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 1) return 'less than a second';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** Rows per second: one decimal below ten, none above. */
export function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return '–';
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

export function bytes(size: number): string {
  const units = ['B', 'KB', 'MB', 'GB'] as const;
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? 'B'}`;
}
