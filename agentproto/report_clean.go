package agentproto

// Limits of one report, in elements.
const (
	maxMembers      = 256
	maxReportErrors = 32
)

// cleaned returns the report with printable texts, and without negative counts.
func (r Report) cleaned() Report {
	for _, field := range []*string{&r.Node, &r.Version, &r.Edition, &r.Logs} {
		*field = cleanText(*field, maxWord)
	}
	r.Connections, r.Limit = max(r.Connections, 0), max(r.Limit, 0)
	r.Members = r.Members[:min(len(r.Members), maxMembers)]
	for i := range r.Members {
		m := &r.Members[i]
		for _, field := range []*string{&m.Name, (*string)(&m.Status), &m.Role, &m.Version} {
			*field = cleanText(*field, maxWord)
		}
		m.UptimeMS, m.Connections = max(m.UptimeMS, 0), max(m.Connections, 0)
	}
	r.Errors = r.Errors[:min(len(r.Errors), maxReportErrors)]
	for i := range r.Errors {
		e := &r.Errors[i]
		e.Stage, e.Code = Stage(cleanText(string(e.Stage), maxID)), ErrorCode(cleanText(string(e.Code), maxID))
		e.Message = cleanText(e.Message, maxMessage)
	}
	return r
}
