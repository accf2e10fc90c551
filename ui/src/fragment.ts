// The fragment of the address: what to start from, kept through the sign-in.

const kept = "lanyard.context";

/** The context URL in a fragment, or undefined. What is wrong with it, the server says. */
export function contextOf(fragment: string): string | undefined {
  if (!fragment || fragment.startsWith("/")) return undefined;
  if (!/^https?%3a/i.test(fragment)) return fragment;
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

/** Called before leaving for the sign-in, where a fragment does not follow. */
export function keepForSignIn(): void {
  const fragment = location.hash.slice(1);
  if (fragment) sessionStorage.setItem(kept, fragment);
  else sessionStorage.removeItem(kept);
}

/** Called when signed in, and when a sign-in came to nothing: goes on where the person was. */
export function restoreAfterSignIn(): void {
  const fragment = sessionStorage.getItem(kept);
  sessionStorage.removeItem(kept);
  if (fragment && !location.hash) location.hash = fragment;
}
