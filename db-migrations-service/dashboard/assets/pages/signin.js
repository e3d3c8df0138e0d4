// Signing in with a token. The service keeps it in a cookie that no script can read.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { call } from '../parts/api.js';
import { useAction } from '../parts/hooks.js';
import { t } from '../parts/i18n.js';
import { Head, Trouble } from '../parts/ui.js';

export function SignIn({ onIn, onBack }) {
  const [token, setToken] = useState('');
  const field = useRef();
  useEffect(() => field.current.focus(), []);
  const [signIn, busy, problem] = useAction(async () => {
    await call('POST', 'api/session', { token: token.trim() });
    onIn();
  });
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) signIn();
  };
  return html`<div class="signin">
    <${Head} title=${t('signin.title')} lead=${t('signin.lead')} />
    <form class="card" onSubmit=${submit}>
      <label class="field"><span>${t('signin.token')}</span>
        <input ref=${field} type="password" name="token" value=${token} onInput=${(e) => setToken(e.target.value)} autocomplete="off"
          spellcheck=${false} placeholder="profe_…" required /></label>
      <${Trouble} problem=${problem} />
      <div class="row">
        <button type="submit" class="primary" disabled=${busy || !token.trim()}>${t('signin')}</button>
        ${onBack && html`<button type="button" class="plain" onClick=${onBack}>${t('back')}</button>`}
      </div>
      <p class="hint">${t('signin.how')} <code>profe token create --name … --scopes read,migrate</code></p>
    </form>
  </div>`;
}
