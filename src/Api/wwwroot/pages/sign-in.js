/** A token for a cookie that scripts cannot read. */
import { api } from '../app/api.js';
import { fill, h } from '../app/dom.js';

export const title = 'Sign in';

export function show(view, { query, entered }) {
  const wrong = h('p.wrong', { role: 'alert' });
  const token = h('input', {
    type: 'password',
    id: 'token',
    required: true,
    autocomplete: 'current-password',
    spellcheck: 'false',
    placeholder: 'mo_…',
    'aria-describedby': 'token-help',
  });
  const button = h('button.primary', 'Sign in');
  const form = h(
    'form.card.sign-in',
    {
      onsubmit: async event => {
        event.preventDefault();
        button.disabled = true;
        fill(wrong);
        try {
          await api.post('/session', { token: token.value.trim() });
          entered(query.get('to') ?? '/');
        } catch (error) {
          fill(wrong, error.message);
          token.focus();
        } finally {
          button.disabled = false;
        }
      },
    },
    h('img', { src: '/icon.svg', alt: '', width: 44, height: 44 }),
    h('h1', 'MetaOpt'),
    h('p.muted', 'Learn an optimizer, then measure whether it beats the ones people designed.'),
    h('label', { for: 'token' }, 'Your token'),
    token,
    h(
      'p.small.muted',
      { id: 'token-help' },
      'The first administrator’s is in the file ',
      h('code', 'admin-token'),
      ' of the server’s data folder; ',
      h('code', './metaopt status'),
      ' names it.',
    ),
    wrong,
    button,
  );
  fill(view, form);
  token.focus();
}
