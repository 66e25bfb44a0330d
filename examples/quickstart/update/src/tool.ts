/** The program that the quickstart's update installs: compiled on each host, checked by its own self-test. */

// Declared here, so that compiling needs nothing but the compiler.
declare const process: { readonly argv: readonly string[] };
declare const console: { log(text: string): void };

export const VERSION = "2.0.0";

/** Fletcher's checksum with 16 bits: enough to show that what was compiled here also computes here. */
export function fletcher16(bytes: Uint8Array): number {
  let a = 0;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 255;
    b = (b + a) % 255;
  }
  return (b << 8) | a;
}

if (process.argv.includes("--self-test")) {
  // Known value: the checksum of "abcde" is 0xC8F0.
  const sum = fletcher16(Uint8Array.from([97, 98, 99, 100, 101]));
  if (sum !== 0xc8f0) throw new Error(`self-test failed: ${sum.toString(16)}`);
  console.log(`tool ${VERSION}: self-test passed`);
} else {
  console.log(VERSION);
}
