import assert from "node:assert/strict";
import { StoreError } from "../../sdk/model";
import { parseBundle } from "../../providers/journal/bundle";

/** Code and message with which a text is refused as a bundle, "none" where it is read; every refusal has a remedy. */
export function refusalOf(text: string): string {
  try {
    parseBundle(text, "bundle.json");
  } catch (error) {
    assert.ok(error instanceof StoreError && error.remedy);
    return `${error.code}: ${error.message}`;
  }
  return "none";
}
