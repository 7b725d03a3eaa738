/* seckill-sidecar: buys with <form data-seckill> without leaving the page. What it does, says and tells: buyers.md. */
(() => {
  'use strict';
  const WORDS = {
    en: {
      sending: 'Sending your order…',
      in_line: 'You are in line. Please stay on this page.',
      accepted: 'It is yours! Order {order}.',
      replayed: 'You have this order already: {order}.',
      paid: 'Order {order} is paid.',
      cancelled: 'Order {order} was cancelled.',
      expired: 'Order {order} was not paid in time.',
      sold_out: 'Sold out.',
      limit_reached: 'You have as many as one buyer may have.',
      not_open: 'The sale has not begun. You can try again in {wait}.',
      ready: 'You can try again now.',
      closed: 'The sale is over.',
      unknown_item: 'This is not on sale.',
      not_eligible: 'This sale is for invited buyers.',
      not_admitted: 'This purchase was not admitted. Ask the shop for admission.',
      challenged: 'Nothing is bought yet: first show that you are no robot.',
      rate_limited: 'Too many tries. Trying again by itself in {wait}.',
      unavailable: 'The shop is busy. Trying again by itself in {wait}.',
      offline: 'No answer. Asking again in {wait}; you will not buy twice.',
      unknown: 'It is not known yet whether it went through. Asking again; you need not buy again.',
      failed: 'It did not go through. You can try again.',
      lost: 'It is not known whether it went through. Look at your orders before you try again.',
      unidentified: 'Sign in to buy.',
      invalid: 'The shop did not understand this order.',
      answered: 'The shop has answered ({status}).',
    },
    zh: {
      sending: '正在提交订单…',
      in_line: '正在排队，请不要离开本页。',
      accepted: '抢到了！订单号 {order}。',
      replayed: '您已经有这份订单：{order}。',
      paid: '订单 {order} 已付款。',
      cancelled: '订单 {order} 已取消。',
      expired: '订单 {order} 未按时付款。',
      sold_out: '已售罄。',
      limit_reached: '已达到每人限购数量。',
      not_open: '抢购尚未开始，{wait} 后可以再试。',
      ready: '现在可以再试。',
      closed: '抢购已结束。',
      unknown_item: '这件商品不在抢购中。',
      not_eligible: '本次抢购仅限受邀买家。',
      not_admitted: '这次购买没有获得准入，请向商店获取准入资格。',
      challenged: '目前还没有买到任何东西：请先证明您不是机器人。',
      rate_limited: '操作太频繁，{wait} 后自动重试。',
      unavailable: '商店繁忙，{wait} 后自动重试。',
      offline: '没有收到回应，{wait} 后自动询问；不会重复购买。',
      unknown: '还不知道是否成功，正在查询；您不必重新购买。',
      failed: '没有成功，您可以再试一次。',
      lost: '不知道是否成功。再次购买之前，请先查看您的订单。',
      unidentified: '请先登录再购买。',
      invalid: '商店无法理解这份订单。',
      answered: '商店已答复（{status}）。',
    },
  };
  const PATIENCE = 300e3, ONE_ANSWER = 60e3, FOLLOWS = 3600e3;
  const running = new WeakSet(), buying = new WeakSet();
  const json = { Accept: 'application/json, text/html;q=0.9, */*;q=0.1' };
  const after = (ms) => new Promise((done) => setTimeout(done, ms));

  // -- what the buyer sees

  const region = (form) => {
    let found = form.querySelector('[data-seckill-status]');
    if (!found) {
      found = form.appendChild(document.createElement('p'));
      found.setAttribute('data-seckill-status', '');
    }
    found.setAttribute('role', 'status');
    found.setAttribute('aria-live', 'polite');
    return found;
  };
  const say = (form, name, values = {}) => {
    const at = form.closest('[lang]');
    const words = WORDS[/^zh/i.test(at ? at.lang : '') ? 'zh' : 'en'];
    const own = form.dataset[`seckill_${name}`.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())];
    const parts = (own || words[name] || words.invalid).split(/\{(\w+)\}/);
    const place = region(form);
    place.dataset.seckillState = name;
    place.textContent = '';
    parts.forEach((part, i) => {
      // The number that counts down is not read out each second: a timer within the live region is quiet.
      const node = i % 2 && part === 'wait' ? document.createElement('span') : document.createTextNode('');
      if (node.setAttribute) node.setAttribute('role', 'timer');
      node.textContent = i % 2 ? values[part] : part;
      place.append(node);
    });
    return place;
  };
  const clock = (ms) => {
    const s = Math.max(0, Math.ceil(ms / 1000)), two = (n) => String(n).padStart(2, '0');
    return (s < 3600 ? '' : `${Math.floor(s / 3600)}:`) + `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  };
  const countDown = async (form, name, ms) => {
    const end = Date.now() + ms;
    const timer = say(form, name, { wait: clock(ms) }).querySelector('[role=timer]');
    tell(form, 'waiting', { reason: name, ms });
    while (Date.now() < end) {
      await after(Math.min(250, Math.max(0, end - Date.now())));
      if (timer) timer.textContent = clock(end - Date.now());
    }
  };
  const tell = (form, what, detail) =>
    form.dispatchEvent(new CustomEvent(`seckill:${what}`, { bubbles: true, cancelable: true, detail }));
  const occupy = (form, busy) => {
    if (busy) running.add(form);
    else running.delete(form);
    form.setAttribute('aria-busy', busy);
    for (const field of form.elements) if (field.type === 'submit') field.disabled = busy;
  };

  // -- the key of a purchase: the same until there is a final answer, also after a reload

  const memory = new Map();
  const load = (name) => {
    try {
      return JSON.parse(sessionStorage.getItem(name) || 'null') || memory.get(name);
    } catch (_) {
      return memory.get(name);
    }
  };
  const save = (name, record) => {
    memory.set(name, record);
    try {
      if (record) sessionStorage.setItem(name, JSON.stringify(record));
      else sessionStorage.removeItem(name);
    } catch (_) { /* not allowed to keep anything: a reload forgets it */ }
  };
  const newKey = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const nameOf = (form, url) => {
    // Hidden fields hold what a shop makes anew for each page.
    const seen = [...form.elements].filter((field) => field.name && field.type !== 'hidden' && field.type !== 'submit');
    const which = [...forms()].indexOf(form);
    const what = [location.pathname, location.search, url, which, ...seen.map((f) => `${f.name}=${f.value}${f.checked}`)];
    let hash = 0;
    for (const letter of what.join('\n')) hash = (Math.imul(hash, 31) + letter.codePointAt(0)) | 0;
    return `seckill ${hash >>> 0}`;
  };

  // -- sending

  const requestOf = (form, button) => {
    const said = (name) => (button && button.getAttribute(`form${name}`)) || form.getAttribute(name) || '';
    const url = new URL(said('action') || location.href, document.baseURI);
    const method = (said('method') || 'get').toLowerCase(), kind = said('enctype').toLowerCase();
    const data = new FormData(form);
    if (button && button.name) data.append(button.name, button.value);
    const fields = [...data].map(([name, value]) => [name, value instanceof File ? value.name : value]);
    const native =
      url.origin !== location.origin || !/^(get|post)$/.test(method) || kind === 'text/plain' ||
      // fetch writes UTF-8; what an older page would send in another way, it sends by itself.
      (!/^utf-?8$/i.test(document.characterSet) && /[^\x00-\x7f]/.test(fields.join()));
    if (method === 'get') url.search = new URLSearchParams(fields);
    const body = method === 'get' ? undefined : kind === 'multipart/form-data' ? data : new URLSearchParams(fields);
    return native ? null : { url: url.href, method: method.toUpperCase(), body };
  };
  const ask = async (url, options = {}) => {
    const abort = new AbortController(), alarm = setTimeout(() => abort.abort(), ONE_ANSWER);
    try {
      const response = await fetch(url, { credentials: 'same-origin', cache: 'no-store', headers: json, signal: abort.signal, ...options });
      const type = response.headers.get('Content-Type') || '', text = await response.text();
      const said = /json/.test(type) ? JSON.parse(text) : null;
      const seconds = Number(response.headers.get('Retry-After')) || (said && said.retry_after) || 0;
      return { response, type, text, said, status: response.status, ms: (said && said.poll_after_ms) || seconds * 1000 };
    } catch (_) {
      return null; // no answer, or half of one
    } finally {
      clearTimeout(alarm);
    }
  };
  const buy = async (form, button, request) => {
    const name = nameOf(form, request.url), fresh = () => ({ key: newKey(), sent: false });
    let doubts = 0, conflicts = 0, end = Date.now() + PATIENCE;
    // This purchase's for as long as it takes, whatever becomes of what is kept: another key would be another purchase.
    let record = load(name) || fresh();
    const forget = () => {
      save(name, null);
      record = fresh();
    };
    occupy(form, true);
    while (Date.now() < end) {
      const again = record.sent ? 'again' : 'first';
      record.sent = true;
      save(name, record);
      say(form, 'sending');
      tell(form, 'sent', { key: record.key });
      const slow = setTimeout(() => say(form, 'in_line'), 1500);
      const headers = { ...json, 'Idempotency-Key': record.key, 'Seckill-Try': again };
      const answer = await ask(request.url, { method: request.method, body: request.body, headers });
      clearTimeout(slow);
      const said = answer && answer.said, verdict = said && said.verdict;
      if (!answer || (answer.status >= 500 && !verdict)) {
        await countDown(form, 'offline', Math.min(1000 * 2 ** doubts++, 10e3) + Math.random() * 500);
      } else if (!verdict) {
        forget();
        return show(form, answer);
      } else if (verdict === 'accepted' || verdict === 'replayed') {
        forget();
        return won(form, said);
      } else if (said.poll) {
        const order = await lookUp(form, said.poll, answer.ms);
        if (order) forget();
        return order && order.state ? won(form, { ...said, ...order, verdict: 'accepted' }) : over(form, order ? 'failed' : 'lost', said);
      } else if (verdict === 'conflict' && !conflicts++) {
        forget(); // the key was another purchase's
      } else if (answer.ms && said.outcome === 'unknown') {
        await countDown(form, 'offline', answer.ms + Math.random() * 500);
      } else if (answer.ms && (verdict === 'rate_limited' || verdict === 'unavailable')) {
        if (again === 'first') {
          record.sent = false; // it bought nothing: the key is as good as new
          save(name, record);
        }
        await countDown(form, verdict, answer.ms + Math.random() * 500);
      } else if (verdict === 'not_open') {
        forget();
        tell(form, 'refused', said);
        await countDown(form, 'not_open', answer.ms || 1000);
        if (!('seckillAuto' in form.dataset)) return over(form, 'ready');
        end = Date.now() + PATIENCE; // that began with the sale
      } else {
        // Who has to sign in first may have bought by an earlier try.
        if (verdict !== 'unidentified' || again === 'first') forget();
        return over(form, verdict === 'unavailable' ? 'lost' : verdict, said);
      }
    }
    over(form, record.sent ? 'lost' : 'failed');
  };

  // -- answers

  const over = (form, name, said) => {
    const place = say(form, name, said);
    if (name === 'unidentified' && form.dataset.seckillLogin) {
      const link = place.appendChild(document.createElement('a'));
      link.href = form.dataset.seckillLogin;
      link.textContent = ' →';
      link.setAttribute('aria-label', place.firstChild.textContent);
    }
    occupy(form, false);
    if (said) tell(form, 'refused', said);
  };
  const show = (form, answer) => {
    const { response, type, text, said, status } = answer;
    if (!tell(form, 'page', { status, url: response.url, text })) return occupy(form, false);
    if (response.redirected) return location.assign(response.url);
    if (!/html/.test(type)) return over(form, 'answered', { status, ...said });
    document.open();
    document.write(text);
    document.close();
  };
  const won = (form, order) => {
    if (order.state !== 'held' && order.state !== 'paid') return over(form, order.state, order);
    say(form, order.state === 'paid' ? 'paid' : order.verdict, order);
    form.setAttribute('aria-busy', 'false');
    if (tell(form, 'accepted', order)) follow(form, order);
  };
  const lookUp = async (form, poll, ms) => {
    const end = Date.now() + PATIENCE;
    say(form, 'unknown');
    tell(form, 'waiting', { reason: 'unknown', ms });
    while (Date.now() < end) {
      await after(ms || 2000);
      const answer = await ask(poll);
      if (answer && answer.status === 200 && answer.said) return answer.said;
      if (answer && answer.status === 404) return {};
      ms = answer && answer.ms;
    }
    return null;
  };
  const follow = (form, order) => {
    const end = Date.now() + FOLLOWS;
    let last = order.state;
    const isLast = (now) => {
      tell(form, 'order', now);
      if (!now.state || now.state === last) return false;
      say(form, (last = now.state), now);
      if (last !== 'paid') occupy(form, false);
      return true;
    };
    const poll = async (ms, wait = 2000) => {
      for (; order.poll && Date.now() < end; wait = Math.min(wait * 1.5, 30e3)) {
        await after(ms || wait);
        const answer = await ask(order.poll);
        ms = answer && answer.ms;
        if (answer && answer.status < 500 && (answer.status !== 200 || !answer.said || isLast(answer.said))) return;
      }
    };
    if (last !== 'held') return;
    if (!order.events || !window.EventSource) return poll(order.poll_after_ms);
    const source = new EventSource(order.events);
    let faults = 0;
    source.addEventListener('order', (event) => {
      faults = 0;
      const now = JSON.parse(event.data), changed = isLast(now);
      if (!changed && now.poll_after_ms) return;
      source.close(); // or the browser would open again and again what the server ends
      if (!changed) poll(0, 30e3);
    });
    source.onerror = () => {
      if (source.readyState !== 2 && ++faults < 4) return;
      source.close();
      poll();
    };
  };

  // -- forms

  const forms = () => document.querySelectorAll('form[data-seckill]');
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.matches('form[data-seckill]')) return;
    if (running.has(form)) return event.preventDefault();
    const request = requestOf(form, event.submitter);
    if (!request) return;
    event.preventDefault();
    buying.add(form);
    buy(form, event.submitter, request).finally(() => buying.delete(form));
  });
  window.addEventListener('pageshow', (event) => {
    // Back again. What was under way goes on; what had come to its end may be sent anew.
    if (event.persisted) forms().forEach((form) => buying.has(form) || occupy(form, false));
  });
  const ready = () => forms().forEach(region);
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready);
  else ready();
})();
