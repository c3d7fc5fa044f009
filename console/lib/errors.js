// Made by `python -m tools.documents`. Change it there.
export const ERRORS = {
  "input_unreachable": {
    "who": "you",
    "retryable": true
  },
  "input_forbidden_address": {
    "who": "you",
    "retryable": false
  },
  "input_too_large": {
    "who": "you",
    "retryable": false
  },
  "input_timeout": {
    "who": "you",
    "retryable": true
  },
  "input_changed": {
    "who": "you",
    "retryable": true
  },
  "input_empty": {
    "who": "you",
    "retryable": false
  },
  "input_not_video": {
    "who": "you",
    "retryable": false
  },
  "input_no_video_stream": {
    "who": "you",
    "retryable": false
  },
  "input_no_audio_stream": {
    "who": "you",
    "retryable": false
  },
  "input_unsupported_codec": {
    "who": "you",
    "retryable": false
  },
  "input_truncated": {
    "who": "you",
    "retryable": false
  },
  "input_damaged": {
    "who": "you",
    "retryable": false
  },
  "input_encrypted": {
    "who": "you",
    "retryable": false
  },
  "input_too_long": {
    "who": "you",
    "retryable": false
  },
  "output_unreachable": {
    "who": "you",
    "retryable": true
  },
  "output_credentials_invalid": {
    "who": "you",
    "retryable": true
  },
  "output_bucket_missing": {
    "who": "you",
    "retryable": true
  },
  "output_write_denied": {
    "who": "you",
    "retryable": true
  },
  "output_refused": {
    "who": "you",
    "retryable": true
  },
  "output_lost": {
    "who": "you",
    "retryable": true
  },
  "drm_key_unavailable": {
    "who": "operator",
    "retryable": true
  },
  "drm_key_refused": {
    "who": "operator",
    "retryable": true
  },
  "encode_failed": {
    "who": "operator",
    "retryable": true
  },
  "encode_stalled": {
    "who": "operator",
    "retryable": true
  },
  "workspace_full": {
    "who": "operator",
    "retryable": true
  },
  "workspace_unreachable": {
    "who": "operator",
    "retryable": true
  },
  "worker_lost": {
    "who": "operator",
    "retryable": true
  },
  "credentials_lost": {
    "who": "operator",
    "retryable": false
  },
  "event_too_large": {
    "who": "operator",
    "retryable": true
  },
  "internal_error": {
    "who": "operator",
    "retryable": true
  }
};
