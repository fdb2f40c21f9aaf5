// Links that hold a claim and a question in their fragment. A browser sends no fragment to a server.

import type { Permission, Target } from "./api.ts";

export interface Shared {
  claim: string | null; // null: the token has no claim
  other?: string | null; // the claim that it is compared with
  question?: { action: Permission; target: Target };
  rows?: Target[]; // that were added to the matrix
}

const marker = "#v1=";
const limit = 32 << 20; // bytes, after decompression

// The three parts of a token, or an encrypted token's five. A header is a JSON object, so it begins with {" in base64url.
const token = /eyJ[\w-]{5,}(?:\.[\w-]*){2,4}|ey[IAoJ][\w-]{8,}\.[\w-]{8,}\.[\w-]*/;

/** holdsToken reports whether there is something in a text that looks like a token. */
export const holdsToken = (text: string): boolean => token.test(text);

async function pipe(bytes: Uint8Array<ArrayBuffer>, through: ReadableWritablePair<Uint8Array, BufferSource>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(through).getReader();
  const chunks: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      throw new Error("The link holds too much.");
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** encodeLink returns the fragment of a link. It throws for what holds something that looks like a token. */
export async function encodeLink(shared: Shared): Promise<string> {
  const text = JSON.stringify(shared);
  if (holdsToken(text)) throw new Error("Something in the claim or the question looks like a token. A token does not go into a link.");
  const bytes = await pipe(new TextEncoder().encode(text), new CompressionStream("deflate-raw"));
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return marker + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** isLink reports whether a text is a link that encodeLink made, or its fragment. */
export const isLink = (text: string): boolean => /^(?:https?:[^\s#]*)?#v1=[\w-]+$/.test(text);

/** decodeLink reads the fragment of a link. */
export async function decodeLink(text: string): Promise<Shared> {
  const encoded = text.slice(text.indexOf(marker) + marker.length);
  try {
    const compressed = Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const bytes = await pipe(compressed, new DecompressionStream("deflate-raw"));
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Shared;
    const isText = (v: unknown): boolean => v === null || typeof v === "string";
    if (!isText(value.claim) || !(value.other === undefined || isText(value.other))) throw new Error("no claim");
    const { question, rows } = value;
    if (question && !(typeof question.action === "string" && typeof question.target === "object" && question.target)) throw new Error("no question");
    if (rows && !(Array.isArray(rows) && rows.every((row) => typeof row === "object" && row))) throw new Error("no rows");
    return value;
  } catch {
    throw new Error("This link is damaged. Copy the whole link, and open it again.");
  }
}
