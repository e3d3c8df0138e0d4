// The frame around the pages: navigation, signing in, theme and language.

import { html, render, useCallback, useEffect, useRef, useState } from './vendor/htm-preact.js';
import { away, call, get } from './parts/api.js';
import { forget } from './parts/environment.js';
import { Session, to, useRoute } from './parts/hooks.js';
import { choose, lang, t } from './parts/i18n.js';
import { Icon } from './parts/states.js';
import { Bones, Empty, Head, Trouble } from './parts/ui.js';
import { SignIn } from './pages/signin.js';

/** Page by page: its icon in the navigation, and where it is. Others are reached from these. */
const NAVIGATION = [
  ['overview', 'home'],
  ['plan', 'play'],
  ['rollback', 'undo'],
  ['backups', 'archive'],
  ['fleets', 'servers'],
  ['releases', 'tag'],
  ['database', 'chart'],
  ['erd', 'graph'],
  ['audit', 'eye'],
  ['alerts', 'bell'],
];
const PAGES = [...NAVIGATION.map(([name]) => name), 'service', 'run', 'fleet'];
/** Under which entry a page that has none stands. */
const UNDER = { service: 'overview', run: 'plan', fleet: 'fleets' };

/** A page is fetched when it is first gone to. */
function Page({ name, route }) {
  const [page, set] = useState(null);
  const [problem, fail] = useState(null);
  useEffect(() => {
    let here = true;
    import(`./pages/${name}.js`).then(
      (module) => here && set(() => module.default),
      () => here && fail(away()),
    );
    return () => {
      here = false;
    };
  }, [name]);
  // A module that could not be fetched is asked for again only by a new page, which is there when the service is.
  const again = () => get('api/session').then(() => location.reload(), (error) => (error.status === 401 ? location.reload() : fail(error)));
  if (problem) return html`<${Head} title=${t(`nav.${UNDER[name] || name}`)} /><${Trouble} problem=${problem} retry=${again} />`;
  const Shown = page;
  return Shown ? html`<${Shown} route=${route} />` : html`<${Bones} lines=${8} />`;
}

function Nav({ current, open, close }) {
  return html`<nav id="navigation" class=${open ? 'open' : ''} aria-label=${t('nav.label')}>
    <ul>${NAVIGATION.map(([name, icon]) => html`<li key=${name}>
      <a href=${to(name)} aria-current=${name === (UNDER[current] || current) ? 'page' : undefined} onClick=${close}>
        <${Icon} name=${icon} /><span>${t(`nav.${name}`)}</span></a></li>`)}
      <li class="nav-docs"><a href="docs/"><${Icon} name="layers" /><span>${t('nav.docs')}</span></a></li>
    </ul></nav>`;
}

function useTheme() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches);
  const [isDark, set] = useState(dark);
  const toggle = () => {
    root.dataset.theme = dark() ? 'light' : 'dark';
    try {
      localStorage.setItem('profe-theme', root.dataset.theme);
    } catch {
      // It then lasts as long as the page.
    }
    set(dark());
  };
  return [isDark, toggle];
}

function Tools({ session, signOut, signIn }) {
  const [isDark, toggle] = useTheme();
  const other = lang === 'es' ? 'en' : 'es';
  return html`<div class="tools">
    <div class="who">${session && html`<span class="who-name" title=${session.scopes ? session.scopes.join(', ') : t('who.all')}>
      <${Icon} name="key" />${session.actor === 'local' ? t('who.local') : session.actor.replace(/^token:/, '')}</span>
      ${session.cookie
        ? html`<button type="button" class="link" onClick=${signOut}>${t('signout')}</button>`
        : html`<button type="button" class="link" onClick=${signIn}>${t('signin')}</button>`}`}</div>
    <button type="button" class="icon-button" onClick=${toggle} aria-pressed=${isDark} aria-label=${t('theme.dark')} title=${t('theme.dark')}>
      <${Icon} name=${isDark ? 'moon' : 'sun'} /></button>
    <button type="button" class="icon-button text" lang=${other} onClick=${() => choose(other)}
      aria-label=${other === 'en' ? 'EN, English' : 'ES, español'} title=${other === 'en' ? 'English' : 'Español'}>${other.toUpperCase()}</button>
  </div>`;
}

function App() {
  const route = useRoute();
  const [session, setSession] = useState(undefined);
  const [turn, setTurn] = useState(0);
  const who = useRef(undefined);
  const [problem, setProblem] = useState(null);
  const [wantsIn, setWantsIn] = useState(false);
  const [open, setOpen] = useState(false);
  const main = useRef(null);
  const first = useRef(true);

  const look = useCallback(async () => {
    // Another than before: what the page has shown so far was not for them, or is not all that is.
    const comes = (next) => {
      const now = JSON.stringify(next);
      if (who.current !== undefined && who.current !== now) {
        forget();
        setTurn((n) => n + 1);
      }
      who.current = now;
      setSession(next);
    };
    try {
      // The answer to a cookie that is no good takes it away: without it one may be somebody again.
      const stale = (error) => (error.code === 'invalid_token' ? get('api/session') : Promise.reject(error));
      comes(await get('api/session').catch(stale));
      setWantsIn(false);
      setProblem(null);
    } catch (error) {
      if (error.status === 401) {
        comes(null);
        setProblem(null);
      } else setProblem(error);
    }
  }, []);
  useEffect(() => {
    look();
    addEventListener('profe-signed-out', look);
    return () => removeEventListener('profe-signed-out', look);
  }, []);

  // Who arrives at a page by keyboard or screen reader begins at its heading; who has to sign in, in its field.
  const place = `${route.page}/${route.rest.join('/')}`;
  const asksIn = session === null || wantsIn;
  useEffect(() => {
    setOpen(false);
    if (first.current) {
      first.current = false;
      return undefined;
    }
    if (asksIn) return undefined;
    scrollTo(0, 0);
    const focus = () => {
      const heading = main.current?.querySelector('h1');
      heading?.focus({ preventScroll: true });
      return Boolean(heading);
    };
    const waiting = new MutationObserver(() => focus() && waiting.disconnect());
    if (!focus()) waiting.observe(main.current, { childList: true, subtree: true });
    return () => waiting.disconnect();
  }, [place, asksIn]);

  const menu = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const escape = (event) => {
      if (event.key !== 'Escape') return;
      setOpen(false);
      menu.current?.focus();
    };
    addEventListener('keydown', escape);
    return () => removeEventListener('keydown', escape);
  }, [open]);

  const signOut = async () => {
    await call('DELETE', 'api/session').catch(() => null);
    look();
  };
  const known = PAGES.includes(route.page) && (!UNDER[route.page] || Boolean(route.rest[0]));
  const inside = () => {
    if (problem) return html`<${Head} title=${known ? t(`nav.${UNDER[route.page] || route.page}`) : t('page.unknown')} /><${Trouble} problem=${problem} retry=${look} />`;
    // The page begins to load while it is still being found out who looks.
    if (asksIn) return html`<${SignIn} onIn=${look} onBack=${session ? () => setWantsIn(false) : null} />`;
    if (!known) return html`<${Head} title=${t('page.unknown')} /><${Empty} title=${t('page.unknown.next')} icon="search"><a href="#/overview">${t('nav.overview')}</a><//>`;
    return html`<${Page} name=${route.page} route=${route} key=${`${turn} ${place}`} />`;
  };
  return html`<${Session.Provider} value=${session}><div class="shell">
    <button type="button" class="skip" onClick=${() => main.current?.focus()}>${t('skip')}</button>
    <header class="side">
      <p class="brand"><span class="mark" aria-hidden="true"></span>Profe</p>
      <button type="button" class="icon-button menu" ref=${menu} aria-expanded=${open} aria-controls="navigation" aria-label=${t('nav.menu')}
        onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'cross' : 'menu'} /></button>
      <${Nav} current=${route.page} open=${open} close=${() => setOpen(false)} />
      <${Tools} session=${session} signOut=${signOut} signIn=${() => setWantsIn(true)} />
    </header>
    <main tabindex="-1" ref=${main} class="page-${route.page}">${inside()}</main>
  </div><//>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
