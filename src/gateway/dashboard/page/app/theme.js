// Sets the theme before anything is painted. A plain script: a module would come too late.
'use strict';
document.documentElement.dataset.theme = (() => {
  try {
    return localStorage.getItem('tertulia.theme') || 'system';
  } catch {
    return 'system';
  }
})();
