package report

import (
	"errors"
	"io/fs"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/logs"
)

// logFiles fills in what is known of log files.
func logFiles(s broker.Settings, out *agentproto.Report) []agentproto.ReportError {
	if !s.LogCollection {
		return nil
	}
	dir, err := logs.Find(s.LogDir)
	if err == nil {
		out.Logs = dir
		return nil
	}
	code := agentproto.CodeUnreachable
	if errors.Is(err, fs.ErrPermission) {
		code = agentproto.CodeAuthFailed
	}
	return []agentproto.ReportError{{Stage: agentproto.StageLogsFetch, Code: code,
		Message: short(err.Error(), mostMessage)}}
}
