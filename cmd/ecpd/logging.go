package main

import (
	"io"
	"log"
	"log/slog"
)

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// newLogger writes what operators need to w, one record a line, from a level on
// that can be moved.
func newLogger(c config, level *slog.LevelVar, w io.Writer) *slog.Logger {
	level.Set(logLevels[c.logLevel])
	o := &slog.HandlerOptions{Level: level}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// takeStandardLog lets libraries that write to the log of the whole process write
// to this one: net/http does, about peers that break its protocol. At debug: any
// agent could make many such lines, and its connection's end is told anyway.
func takeStandardLog(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(to.With("component", "net/http").Handler(), slog.LevelDebug).Writer())
}
