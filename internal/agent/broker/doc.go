// Package broker is the agent's access to the EMQX beside it: the settings and
// where they come from, credentials, and the two handlers that requests through
// the tunnel reach.
//
// What it promises:
//
//   - It dials the addresses that were configured and no others: targets of
//     requests, Host headers and redirects lead nowhere else, and no proxy of the
//     environment stands in between.
//   - The API handler adds credentials to requests and takes away whatever
//     credentials came with them. The dashboard handler never adds any.
//   - Credentials that the broker refused are not tried again for five minutes
//     (brokers lock users), by nobody: reports, calls through the tunnel and
//     detection share one [Access].
//   - Secrets are in the requests that need them and in broker.json, and in no
//     error, log or status.
package broker
