// Package emqxlog reads the log lines of EMQX 4 and 5 in their text and JSON forms, and
// those of the Erlang machine. It gives the following guarantees:
//
//   - It never fails: a line that it does not understand becomes the message of an entry
//     without a level.
//   - It needs limited memory: it truncates lines and entries at [MaxEntry] bytes and reports that.
//   - It reads time and level only from the head of a line, where EMQX writes them. The fields of
//     the text forms are a guess, since EMQX quotes nothing there: a client can choose a name that
//     looks like a field. The raw text is always available.
package emqxlog
