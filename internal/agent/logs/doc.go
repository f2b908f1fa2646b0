// Package logs reads the log files that EMQX writes into a directory of its host.
//
// It promises, whatever becomes of the files:
//
//   - Every line is given once and in the order in which it was written, also over
//     rotations and to who comes back with a [Mark]. What is lost is said by a line
//     with a Gap.
//   - It reads regular files of EMQX's names in that one directory and nothing else,
//     and only those that the owner of the directory may read: whoever can write to
//     the directory cannot have other files read out by an agent that runs as root.
//     A Mark names no file; it is only compared with what the files hold.
//   - Memory is bounded whatever the files hold, and nothing runs and no file is open
//     while nobody reads.
package logs
