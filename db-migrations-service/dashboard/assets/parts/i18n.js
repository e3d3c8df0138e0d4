// Words in the chosen language. Each dictionary is one file; a test compares their keys.

const language = document.documentElement.lang === 'en' ? 'en' : 'es';
const read = (name) => import(`../i18n/${name}.js`).then((module) => module.default);
// What the service says is English; of what has a code there is a Spanish text beside it.
const [words, codes] = await Promise.all([read(language), language === 'es' ? read('codes.es') : {}]);
const plurals = new Intl.PluralRules(language);

/** The language in use: `es` or `en`. */
export const lang = language;

/** The text of a key, with `{name}` replaced from `values`. */
export const t = (key, values) => fill(words[key] ?? key, values);

const fill = (text, values) => (values ? text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) : text);

/** The page's own text for a code of the service's; null where the service's words are in the page's language, or it has none. */
export const said = (key, values) => (key in codes ? fill(codes[key], values) : null);

/** The first of these keys that there is a text for; `.one` and `.other` are looked for where `n` is given. */
export function saidOfMany(keys, n, values) {
  const form = plurals.select(n ?? 0) === 'one' ? 'one' : 'other';
  return said(keys.flatMap((key) => [key, `${key}.${form}`]).find((key) => key in codes), values);
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
