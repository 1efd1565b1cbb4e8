// How long a test waits for what must come: far longer than it takes on a slow and busy machine.
export const PATIENCE = 60000;

// Waits for a condition, not for a time: polled often, and a failure names what was awaited.
export async function until(condition, what, milliseconds = PATIENCE) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
