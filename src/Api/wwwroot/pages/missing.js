import { fill, h } from '../app/dom.js';

export const title = 'Not found';

export const show = view => fill(view, h('h1', 'There is nothing here'), h('p', h('a', { href: '/' }, 'To the queue')));
