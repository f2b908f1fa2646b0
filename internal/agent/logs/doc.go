// Package logs reads the log files that EMQX writes into a directory of its host.
//
// It promises, whatever becomes of the files:
//
//   - Every line is returned once and in the order in which it was written, also over
//     rotations and to a caller who comes back with a [Mark]. A line with a Gap says
//     where lines are lost.
//   - It reads regular files of EMQX's names in that one directory and nothing else,
//     and only those that the owner of the directory may read: whoever can write to
//     the directory cannot make an agent that runs as root read other files.
//     A Mark names no file; it is only compared with the content of the files.
//   - Memory is bounded whatever the files hold. While nobody reads, no goroutine runs
//     and no file is open.
package logs
