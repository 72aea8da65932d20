// What the browser can say about a value before it is sent. The gateway checks again.

const WHOLE = new Set(["INTEGER", "LONG", "SHORT", "BYTE"]);
const REAL = new Set(["DOUBLE", "FLOAT"]);
const BOUNDS = {
  BYTE: [-128, 127],
  SHORT: [-32768, 32767],
  INTEGER: [-2147483648, 2147483647],
};

export const isNumber = (type) => WHOLE.has(type) || REAL.has(type);
export const isWhole = (type) => WHOLE.has(type);

/** Kura's only read-only convention: min equals max. */
export const isReadOnly = (ad) => ad.min !== undefined && ad.min !== null && ad.min !== "" && ad.min === ad.max;

export const isMany = (ad) => Math.abs(ad.cardinality ?? 0) > 1;

/** The bounds in words, for people: "1 to 86400", "at most 255 characters". */
export function limits(ad) {
  if (isReadOnly(ad) || (ad.option ?? []).length > 0) return "";
  const { min, max } = bounds(ad);
  const what = isNumber(ad.type) ? "" : " characters";
  if (min !== null && max !== null) return `${min} to ${max}${what}`;
  if (min !== null) return `at least ${min}${what}`;
  if (max !== null) return `at most ${max}${what}`;
  return "";
}

function bounds(ad) {
  const number = (text) => (text === undefined || text === null || text === "" ? null : Number(text));
  if (["BOOLEAN", "PASSWORD", "CHAR"].includes(ad.type)) return { min: null, max: null };
  return { min: number(ad.min), max: number(ad.max) };
}

/** What is wrong with the text of one box, "" where nothing is. */
export function problem(ad, text) {
  const trimmed = text.trim();
  if (trimmed === "") return ad.isRequired ? "This field is required." : "";
  const { min, max } = bounds(ad);
  if (isNumber(ad.type)) {
    const pattern = isWhole(ad.type) ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
    if (!pattern.test(trimmed)) return isWhole(ad.type) ? "A whole number is needed." : "A number is needed.";
    const value = Number(trimmed);
    const [least, most] = BOUNDS[ad.type] ?? [-Infinity, Infinity];
    if (value < Math.max(least, min ?? -Infinity) || value > Math.min(most, max ?? Infinity)) {
      return limits(ad) === "" ? `Out of range for ${ad.type}.` : `Must be ${limits(ad)}.`;
    }
    return "";
  }
  const length = [...text].length;
  if (ad.type === "CHAR" && length > 1) return "One character is needed.";
  if (ad.type === "STRING" && ((min !== null && length < min) || (max !== null && length > max))) {
    return `Must be ${limits(ad)}.`;
  }
  return "";
}

/** The text of a box as the value of the REST interface; an emptied number is null. */
export function value(ad, text) {
  if (ad.type === "STRING") return text;
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (isNumber(ad.type)) return Number(trimmed);
  if (ad.type === "BOOLEAN") return trimmed === "true";
  return ad.type === "PASSWORD" ? text : trimmed;
}
