// Words in the chosen language. Each dictionary is one file; a test compares their keys.

const language = document.documentElement.lang === 'en' ? 'en' : 'es';
const words = (await import(`../i18n/${language}.js`)).default;
const plurals = new Intl.PluralRules(language);

/** The language in use: `es` or `en`. */
export const lang = language;

/** The text of a key, with `{name}` replaced from `values`. */
export function t(key, values) {
  const text = words[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) : text;
}

/** Whether there is a text of that key: for words that come from the server. */
export const knows = (key) => key in words;

/** The text of a word that the server sent, or the word itself where no text is known. */
export const word = (area, value) => (knows(`${area}.${value}`) ? t(`${area}.${value}`) : String(value ?? '–'));

/** The text for so many: keys `….one` and `….other`. */
export function tn(key, n, values) {
  const form = plurals.select(n) === 'one' ? 'one' : 'other';
  return t(`${key}.${form}`, { n: new Intl.NumberFormat(language).format(n), ...values });
}

/** Keeps the choice and starts anew in that language. */
export function choose(next) {
  try {
    localStorage.setItem('profe-language', next);
  } catch {
    return;
  }
  location.reload();
}
