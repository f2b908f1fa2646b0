// Package agent is what the program emqxee-agent runs: it waits until the agent is
// registered, keeps the connection to the server, passes requests from there on to
// the EMQX beside it, and reports how that is.
//
//   - [New] starts nothing. [Agent.Run] owns every goroutine, and one process runs
//     on a home directory at a time.
//   - A registration, other credentials of EMQX and changed settings are picked up
//     within a second, without a restart.
//   - Whatever the broker, the server, the disk or the network do, Run goes on:
//     [Status] says what is wrong and what to do.
//   - No secret is in a log, a status or an error.
package agent
