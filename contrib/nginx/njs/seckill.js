// seckill-sidecar: which item a purchase is about, where that stands in its body. Written by `seckill-sidecar nginx`.
//
//   @seckill_read ─► body: of what kind? sound? which item? ─► $seckill_item ─► @seckill_turn: marked?
//                     └ anything else ─────────────────────► as it was ──────► the gate, which says what is wrong
//
// nginx gives what to look for as JSON in $seckill_reads: {"kind": "form" or "json", "item": name, "key": name,
// "fields": {name: value}}. Nothing is answered here and no file is touched: the item's name goes back to nginx, whose
// own tests for markers follow. In doubt there is no name. It runs in njs 0.7 and later.

const SKU = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const LONGEST_SKU = 64;
const MOST_FIELDS = 200;
const CLEAN_FORM = /^(?:[!-$&-~]|%[0-9A-Fa-f][0-9A-Fa-f])*$/;
const JSON_TOKEN = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/g;
const JSON_SKELETON = /^[ \t\r\n]*[{[][ \t\r\n{}[\]:,v]*$/;
const LONG_NUMBER = /[0-9]{400}/;

function read(r) {
    try {
        const wanted = JSON.parse(r.variables.seckill_reads);
        const item = itemOf(r, wanted);
        if (item !== null) {
            r.variables.seckill_item = item;
        }
    } catch (e) {
        r.log(`seckill: left to the gate: ${e.message}`);
    }
    r.internalRedirect('@seckill_turn');
}

function itemOf(r, wanted) {
    const text = bodyOf(r);
    if (text === null) {
        return null;
    }
    const values = wanted.kind === 'json' ? jsonValues(text) : formValues(text);
    if (values === null || !isPurchase(values, wanted)) {
        return null;
    }
    const item = 'item' in wanted ? values(wanted.item) : [r.variables.seckill_item.slice(1)];
    return item.length === 1 && isSku(item[0]) ? item[0] : null;
}

// Two headers of this name may mean one thing to nginx and another to the gate.
function bodyOf(r) {
    const types = r.rawHeadersIn.filter(header => header[0].toLowerCase() === 'content-type');
    const body = types.length === 1 ? r.requestBuffer : undefined;  // throws if the body went to a file
    const text = body === undefined ? '\ufffd' : body.toString('utf8');
    return text.indexOf('\ufffd') >= 0 ? null : text;
}

// Who carries a key may have an order already; and of a route with fields only these requests are purchases.
function isPurchase(values, wanted) {
    if ('key' in wanted && values(wanted.key).length > 0) {
        return false;
    }
    return Object.keys(wanted.fields).every(name => {
        const found = values(name);
        return found.length === 1 && found[0] === wanted.fields[name];
    });
}

function isSku(value) {
    // Its own length: $ also matches before a line feed at the end.
    return typeof value === 'string' && value.length <= LONGEST_SKU && value.indexOf('\n') < 0 && SKU.test(value);
}

// -- forms -------------------------------------------------------------------------------------------

// The values of each name, in a function; null if the gate may read the form otherwise.
function formValues(text) {
    const pairs = text.split('&');
    if (!CLEAN_FORM.test(text) || text.indexOf('\n') >= 0 || pairs.length > MOST_FIELDS) {
        return null;
    }
    const fields = pairs.map(pair => {
        const equals = pair.indexOf('=');
        return equals < 0 ? [decoded(pair), ''] : [decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1))];
    });
    return name => fields.filter(field => field[0] === name).map(field => field[1]);
}

// Throws for what is no UTF-8.
function decoded(text) {
    return decodeURIComponent(text.split('+').join(' '));
}

// -- JSON --------------------------------------------------------------------------------------------

// The same for dotted paths; null for what is no sound JSON, or names a member twice.
function jsonValues(text) {
    const skeleton = text.replace(JSON_TOKEN, 'v');
    if (!JSON_SKELETON.test(skeleton) || skeleton.indexOf('vv') >= 0 || LONG_NUMBER.test(text)) {
        return null;
    }
    const document = JSON.parse(text);
    if (members(document) !== skeleton.split(':').length - 1) {
        return null;
    }
    return path => {
        const found = path.split('.').reduce(member, document);
        return found === undefined || found === null ? [] : [found];
    };
}

// How many members there are, at all depths: of two with one name, JSON.parse keeps the last.
function members(value) {
    if (typeof value !== 'object' || value === null) {
        return 0;
    }
    const own = Array.isArray(value) ? 0 : Object.keys(value).length;
    return Object.keys(value).reduce((sum, name) => sum + members(value[name]), own);
}

function member(value, name) {
    if (Array.isArray(value)) {
        return /^[0-9]+$/.test(name) ? value[Number(name)] : undefined;
    }
    const isObject = typeof value === 'object' && value !== null;
    return isObject && Object.prototype.hasOwnProperty.call(value, name) ? value[name] : undefined;
}

export default {read};
