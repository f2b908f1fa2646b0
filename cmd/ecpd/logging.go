package main

import (
	"io"
	"log"
	"log/slog"
)

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// newLogger returns a logger that writes one record a line to w, from a level that can
// be changed later.
func newLogger(c config, level *slog.LevelVar, w io.Writer) *slog.Logger {
	level.Set(logLevels[c.logLevel])
	o := &slog.HandlerOptions{Level: level}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// takeStandardLog redirects the log of the whole process to this one. net/http writes to
// it about peers that break the protocol. The level is debug, because one agent could
// cause many such lines, and the end of its connection is logged in any case.
func takeStandardLog(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(to.With("component", "net/http").Handler(), slog.LevelDebug).Writer())
}
