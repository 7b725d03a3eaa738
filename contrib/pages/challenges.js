// Puts challenges to a browser. Wherever a page has, within a form,
//
//     <div data-seckill-challenge="/seckill/challenges/buy?item=kettle"></div>
//     <script src="/seckill/challenges.js" defer></script>
//
// it asks that address for a new one, and puts the solution into the form; until then the form can't be sent.
"use strict";

(() => {
  const WORDS = {
    en: {
      working: "One moment, this page is making sure that you are no robot.",
      done: "Done.",
      needs_https: "this needs an https:// address",
      question: "What does the picture show?",
      picture: "a picture of some letters and digits",
      another: "Another picture",
      failed: "That did not work:",
      no_answer: "the service does not answer",
      again: "Try again",
    },
    zh: {
      working: "请稍候，正在确认您不是机器人。",
      done: "已完成。",
      needs_https: "这一步需要 https:// 地址",
      question: "图片上是什么？",
      picture: "一张由字母和数字组成的图片",
      another: "换一张图片",
      failed: "没有成功：",
      no_answer: "验证服务没有响应",
      again: "再试一次",
    },
  };
  const wordsAt = (place) => WORDS[/^zh/i.test(place.closest("[lang]")?.lang ?? "") ? "zh" : "en"];
  const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

  // -- proof of work: the number from which PBKDF2 derives a key that begins as the challenge says

  async function derive(parameters, counter) {
    const nonce = bytesOf(parameters.nonce);
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    new DataView(password.buffer).setUint32(nonce.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: bytesOf(parameters.salt), iterations: parameters.cost };
    return hexOf(new Uint8Array(await crypto.subtle.deriveBits(how, key, 8 * parameters.keyLength)));
  }

  async function solve(challenge) {
    const { parameters, signature } = challenge;
    for (let counter = 0; ; counter++) {
      const derivedKey = await derive(parameters, counter);
      if (derivedKey.startsWith(parameters.keyPrefix)) {
        return btoa(JSON.stringify({ challenge: { parameters, signature }, solution: { counter, derivedKey } }));
      }
    }
  }

  // -- what stands on the page

  function element(name, { role, ...attributes }, text) {
    const made = Object.assign(document.createElement(name), attributes);
    if (role) made.setAttribute("role", role);
    if (text) made.textContent = text;
    return made;
  }

  function load(source, words) {
    return new Promise((resolve, reject) => {
      const onerror = () => reject(new Error(words.no_answer));
      document.head.append(element("script", { src: source, onload: resolve, onerror }));
    });
  }

  const WAYS = {
    async altcha(place, given, words) {
      const says = element("p", { role: "status" });
      place.replaceChildren(says);
      says.textContent = words.working;
      if (!globalThis.crypto?.subtle) throw new Error(words.needs_https);
      const solution = await solve(given);
      says.textContent = words.done;
      place.append(element("input", { type: "hidden", name: given.fields.solution, value: solution }));
    },

    async image(place, given, words) {
      const label = element("label", {}, `${words.question} `);
      label.append(
        element("input", { name: given.fields.solution, required: true, autocomplete: "off", maxLength: 16 }),
      );
      const another = element("button", { type: "button", onclick: () => begin(place) }, words.another);
      place.replaceChildren(
        element("p", {}), label, another,
        element("input", { type: "hidden", name: given.fields.challenge, value: given.challenge }),
      );
      place.firstChild.append(element("img", { src: given.image, alt: words.picture }));
    },

    async turnstile(place, given, words) {
      await load(given.script + "?render=explicit", words);
      await new Promise((resolve, reject) => turnstile.render(place, {
        sitekey: given.sitekey, action: given.action, cData: given.cdata,
        "response-field-name": given.fields.solution, callback: resolve, "error-callback": reject,
      }));
    },

    async hcaptcha(place, given, words) {
      await load(given.script + "?render=explicit", words);
      const solution = element("input", { type: "hidden", name: given.fields.solution });
      const widget = element("div", {});
      place.replaceChildren(widget);
      solution.value = await new Promise((resolve, reject) => hcaptcha.render(widget, {
        sitekey: given.sitekey, callback: resolve, "error-callback": reject,
      }));
      widget.remove();  // it has a field of its own, and a field must come once
      place.append(solution);
    },
  };

  async function begin(place) {
    const buttons = place.closest("form")?.querySelectorAll("[type=submit], button:not([type])") ?? [];
    const words = wordsAt(place);
    for (const button of buttons) button.disabled = true;
    place.replaceChildren();
    try {
      const answer = await fetch(place.dataset.seckillChallenge, { headers: { Accept: "application/json" } });
      const given = await answer.json();
      if (!answer.ok) throw new Error(given.detail ?? given.title);
      await WAYS[given.kind](place, given, words);
      for (const button of buttons) button.disabled = false;
    } catch (error) {
      const again = element("button", { type: "button", onclick: () => begin(place) }, words.again);
      place.replaceChildren(element("p", { role: "alert" }, `${words.failed} ${error?.message ?? error} `), again);
    }
  }

  const PLACES = "[data-seckill-challenge]";
  document.querySelectorAll(PLACES).forEach(begin);
  // Of seckill.js: a solution is good for one purchase, and the next one is another.
  document.addEventListener("seckill:refused", (event) => event.target.querySelectorAll(PLACES).forEach(begin));
})();
