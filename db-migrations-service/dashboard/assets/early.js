// Runs before anything is painted: the theme and the language that were chosen here before, else the browser's.
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage may be forbidden; the browser's own wishes count then
    }
  };
  const theme = kept('profe-theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const wished = [kept('profe-language'), ...(navigator.languages || [])].map((tag) => String(tag).slice(0, 2));
  root.lang = wished.find((tag) => tag === 'es' || tag === 'en') || 'es';
  for (const name of root.lang === 'es' ? ['es', 'codes.es'] : ['en']) {
    const words = document.createElement('link');
    words.rel = 'modulepreload';
    words.href = document.currentScript.src.replace('early.js', `i18n/${name}.js`);
    document.head.append(words);
  }
})();
