package agentproto

// The calls of the control host. Bodies and answers are JSON; spec.md has them.
const (
	pathPing    = "/v1/ping"         // POST: 204
	pathGoodbye = "/v1/goodbye"      // POST, a Refusal: 204; the server closes then
	pathTrust   = "/v1/authorities"  // POST, announcement: 204; 409 where it is not followed
	pathReports = "/v1/reports"      // GET ?epoch=&seq=: those that are kept, one JSON object a line
	pathLive    = "/v1/reports/live" // GET ?epoch=&seq=: the same, and each new one until the stream ends
	pathLogs    = "/v1/logs"         // GET ?after=&since=&until=&tail=&level=&text=&follow=: a page of the log, one JSON object a line
)
