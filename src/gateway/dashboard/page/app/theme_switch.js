// The switch between the system's theme, light and dark.

import { setAttribute, setText } from './dom.js';

const NEXT = { system: 'light', light: 'dark', dark: 'system' };
const WORDS = { system: 'Auto', light: 'Light', dark: 'Dark' };

/** Makes `button` switch to the next theme at each click. */
export function prepareTheme(button) {
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme in NEXT ? root.dataset.theme : 'system';
    setText(button, WORDS[theme]);
    setAttribute(button, 'aria-label', `Theme: ${WORDS[theme]}. Change to ${WORDS[NEXT[theme]].toLowerCase()}`);
    return theme;
  };
  button.addEventListener('click', () => {
    root.dataset.theme = NEXT[show()];
    show();
    try {
      localStorage.setItem('tertulia.theme', root.dataset.theme);
    } catch {
      // Without storage the theme lasts as long as the page is open.
    }
    document.dispatchEvent(new Event('themechange'));
  });
  show();
}
