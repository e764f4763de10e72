// Sets the theme before anything is painted. This is a plain script, because a module would run too late.
'use strict';
document.documentElement.dataset.theme = (() => {
  try {
    return localStorage.getItem('tertulia.theme') || 'system';
  } catch {
    return 'system';
  }
})();
