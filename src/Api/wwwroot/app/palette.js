/**
 * Colours of curves: after Okabe and Ito, told apart with every common colour vision, darkened or lightened so that each has
 * at least three to one against its background. Each also has a dash pattern of its own: colour is never the only difference.
 */
const light = ['#0b63b0', '#c2500a', '#007a5a', '#a8437f', '#8a6a00', '#2a8db5', '#5b5f66', '#7a4fc0'];
const dark = ['#6db3ff', '#ff9a5c', '#3fd0a4', '#f08cc7', '#e3bd4a', '#8fdcf7', '#b9bec7', '#bda2ff'];
const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 3], [12, 4, 2, 4, 2, 4], [1, 4], [14, 5]];

const [systemDark, print, narrow] = ['(prefers-color-scheme: dark)', 'print', 'screen and (max-width: 700px)'].map(query =>
  matchMedia(query),
);

export const isDark = () => {
  if (print.matches) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen === 'dark' || (chosen !== 'light' && systemDark.matches);
};

export const colour = index => (isDark() ? dark : light)[index % light.length];

export const dash = index => dashes[(index + Math.floor(index / light.length) * 3) % dashes.length];

/** #rrggbb with an opacity. */
export const faint = (hex, opacity) =>
  `${hex}${Math.round(opacity * 255)
    .toString(16)
    .padStart(2, '0')}`;

/** Colours of everything around the curves. */
export const chrome = () =>
  isDark()
    ? { paper: '#14181e', ink: '#e8ebf0', muted: '#98a3b3', grid: '#262d37' }
    : { paper: '#ffffff', ink: '#1a2028', muted: '#5d6878', grid: '#e9ecf0' };

/** Whether pictures have the width of a telephone. */
export const isNarrow = () => narrow.matches;

/** Calls back when light turns dark or back, when the page is printed, and when the window becomes narrow or wide. */
export function onTheme(work, signal) {
  document.addEventListener('theme', work, { signal });
  for (const query of [systemDark, print, narrow]) query.addEventListener('change', work, { signal });
}
