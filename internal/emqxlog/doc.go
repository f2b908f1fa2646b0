// Package emqxlog reads the log lines of EMQX 4 and 5, in their text and JSON
// forms, and those of the Erlang machine beneath.
//
//   - It never fails: what is not understood is an entry without a level, whose
//     message is the line.
//   - It takes bounded memory, whatever it reads: a line and an entry are cut at
//     [MaxEntry] bytes, and say so.
//   - Time and level come from the head of a line only, where EMQX writes them.
//     Fields of the text forms are a reading: neither form quotes anything, so
//     that a client may choose its name to look like a field. The raw text is
//     what was written.
package emqxlog
