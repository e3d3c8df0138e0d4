// What the service says in words. It says it in English: in Spanish its codes have a sentence here, and its own words stand
// folded below it, marked as English. What comes from PostgreSQL is quoted as it is.

import { html } from '../vendor/htm-preact.js';
import { lang, said, t } from './i18n.js';

/** Words of the service for which there is no sentence in the page's language: as they are, or folded below one that there is. */
export function Verbatim({ text, folded = false }) {
  const words = [].concat(text).filter(Boolean);
  if (!words.length) return null;
  const lines = words.map((line) => html`<p lang="en" class="verbatim" key=${line}>${line}</p>`);
  return folded && lang !== 'en' ? html`<details class="technical"><summary>${t('technical')}</summary>${lines}</details>` : lines;
}

/**
 * A problem as it is shown: `{ title, text, rest, cure }`. `rest` are the service's own words, which are not in the page's language
 * where `folded` is set. A problem that the page itself has found speaks that language already.
 */
export function told(problem) {
  if (problem.about) return { title: problem.message, text: said(`problem.${problem.about}`), rest: [problem.detail, problem.cure], cure: said(`cure.${problem.about}`), folded: true };
  const title = said(`problem.${problem.code}`);
  if (!title) return { title: problem.message, rest: [problem.detail], cure: problem.cure };
  // An error within an answer has its particulars as its message, a refused request as its detail.
  const particulars = problem.detail ?? (problem.message === title ? null : problem.message);
  return { title, rest: [particulars, problem.cure], cure: said(`cure.${problem.code}`, problem), folded: true };
}

/** What is to be done, in the page's language where it can be. */
export const Cure = ({ of: { cure, folded } }) => cure && html`<p class="cure"><strong>${t('cure')}</strong> ${folded || lang === 'en' ? cure : html`<span lang="en">${cure}</span>`}</p>`;

/** An error within an answer, below a title that the page gives it. */
export const failure = ({ code, message, cure }) => ({ about: said(`problem.${code}`) ? code : undefined, detail: message, cure });
