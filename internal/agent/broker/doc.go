// Package broker is the agent's access to the EMQX beside it: the settings and
// where they come from, credentials, and the two handlers that requests through
// the tunnel reach.
//
// Its guarantees:
//
//   - It dials only the configured addresses: targets of requests, Host headers and
//     redirects do not change that, and no proxy of the environment is used.
//   - The API handler replaces the credentials of requests by the agent's. The
//     dashboard handler never adds any.
//   - Credentials that the broker has refused are not tried again for five minutes,
//     because brokers lock users. Reports, calls through the tunnel and detection
//     share one [Access] and thus this rule.
//   - Secrets are only in the requests that need them and in broker.json, never in
//     an error, a log or a status.
package broker
