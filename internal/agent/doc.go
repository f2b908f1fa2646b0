// Package agent implements the program emqxee-agent. It waits until the agent is
// registered, keeps the connection to the server, passes requests from the server to
// the EMQX node beside it, and reports the state of EMQX.
//
//   - [New] starts nothing. [Agent.Run] owns every goroutine, and one process runs
//     on a home directory at a time.
//   - A registration, other credentials of EMQX and changed settings are picked up
//     within a second, without a restart.
//   - Run goes on whatever happens to the broker, the server, the disk or the
//     network: [Status] has what is wrong and what to do.
//   - Logs, status and errors contain no secrets.
package agent
