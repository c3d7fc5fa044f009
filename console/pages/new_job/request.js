// From the form to the request: plain functions.
import { ApiError } from "../../lib/api.js";

export const RESOLUTIONS = ["144p", "240p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p", "audio"].map(name => [name, name]);
export const LADDERS = [
  ["Phone", ["240p", "360p", "480p"]],
  ["Web", ["240p", "480p", "720p"]],
  ["Full HD", ["240p", "360p", "480p", "720p", "1080p"]],
  ["4K", ["240p", "480p", "720p", "1080p", "1440p", "2160p"]],
  ["Sound alone", ["audio"]],
];

/** @param {string | null} output the folder that was written to last */
export const startOf = output => ({ source: "file", url: "", s3: "", output: "", folder: output ?? "", resolutions: ["240p", "480p", "720p"], profile: "balanced", priority: "normal", encryption: "none", early: false, metadata: "" });

/**
 * What the API is asked for.
 * @param {ReturnType<typeof startOf>} form @param {{input_url: string} | null} upload
 */
export function bodyOf(form, upload) {
  const body = { output_path: form.output.trim(), resolutions: RESOLUTIONS.map(([name]) => name).filter(name => form.resolutions.includes(name)) };
  if (form.source === "s3") body.input_path = form.s3.trim();
  else body.input_url = form.source === "file" ? upload.input_url : form.url.trim();
  for (const [name, usual] of [["profile", "balanced"], ["priority", "normal"], ["encryption", "none"]]) if (form[name] !== usual) body[name] = form[name];
  if (form.early) body.early_playback = true;
  if (form.metadata.trim()) body.client_metadata = metadataOf(form.metadata);
  return body;
}

function metadataOf(text) {
  let value = null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, { client_metadata: [`This is no JSON: ${error.message}.`] });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new ApiError(400, { client_metadata: ["Must be an object, such as {\"course\": \"autumn\"}."] });
  return value;
}

/**
 * Where the output of a source could go: a folder of its own, where the last one went or else in the source's bucket.
 * @param {string} source @param {string} folder
 */
export function suggestedOutput(source, folder) {
  const stem = source.split("?")[0].split("/").filter(Boolean).slice(2).at(-1)?.replace(/\.[^.]*$/, "");
  const bucket = /^s3:\/\/([^/?]+)\//.exec(source)?.[1];
  const base = folder || (bucket && `s3://${bucket}/streams/`);
  return stem && base ? `${base}${stem}/` : "";
}
