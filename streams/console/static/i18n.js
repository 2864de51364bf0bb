// The page's language: the same catalogue as streams/console/i18n.py reads, for what the script says.

const code = document.documentElement.lang;
const response = await fetch(new URL(`locales/${code}.json`, import.meta.url));
if (!response.ok) throw new Error(`no texts in ${code}: ${response.status}`);
const catalogue = await response.json();

export const { months, months_short: monthsShort, weekdays, weekdays_short: weekdaysShort } = catalogue;

const plain = new Intl.NumberFormat(code);
export const number = (value) => plain.format(value);
export const decimal = new Intl.NumberFormat(code, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// ``text`` in the page's language with its {names} filled in.
export function t(text, values = {}) {
  const told = catalogue.messages[text] ?? text;
  return fill(Array.isArray(told) ? told[0] : told, values);
}

// The form for n things; in French nought is singular.
export function tn(one, many, n, values = {}) {
  const told = catalogue.messages[one] ?? [one, many];
  const forms = Array.isArray(told) ? told : [told, told];
  const form = code === "fr" ? Number(n > 1) : Number(n !== 1);
  return fill(forms[Math.min(form, forms.length - 1)], { n: number(n), ...values });
}
