// A job as the request that makes it again.

const quoted = text => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * A line for a POSIX shell. Credentials are not known here: what stands for them is to be filled in.
 * @param {string} org @param {any} job
 */
export function curlOf(org, job) {
  const body = {
    [job.input_url.startsWith("s3:") ? "input_path" : "input_url"]: job.input_url,
    output_path: job.output_path,
    resolutions: job.resolutions,
    ...(job.client_metadata ? { client_metadata: job.client_metadata } : {}),
    ...(job.encryption === "none" ? {} : { encryption: job.encryption }),
    ...(job.early_playback ? { early_playback: true } : {}),
    ...(job.priority === "normal" ? {} : { priority: job.priority }),
    ...(job.profile === "balanced" ? {} : { profile: job.profile }),
  };
  return [
    `curl -X POST ${quoted(`${location.origin}/api/v1/${org}/transcoding_jobs/`)}`,
    `-H "Authorization: Token $MILLRACE_TOKEN"`,
    `-H 'Content-Type: application/json'`,
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}
