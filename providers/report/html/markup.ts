/**
 * HTML and SVG as text, escaped by default: values in a `markup` template are text unless they are markup already.
 *
 * Not for: styles and layout (page.ts) and charts (charts.ts).
 */

/** Markup that is safe to put into a page as it is. */
export class Markup {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

/** What may stand in a template. Lists are joined; undefined and false leave nothing. */
export type MarkupValue = string | number | Markup | undefined | false | readonly MarkupValue[];

/** A template whose values are escaped. */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  let text = parts[0] ?? "";
  values.forEach((value, index) => {
    text += render(value) + (parts[index + 1] ?? "");
  });
  return new Markup(text);
}

function render(value: MarkupValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
