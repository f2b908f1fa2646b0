package cron

import (
	"sort"
	"time"
)

// horizon is how many days are looked through for a due time: 29 February on a given
// weekday comes every 28 years, and where 2100 is between after 40.
const horizon = 366 * 41

// Next returns the first time after a given one at which the schedule is due; the zero
// time if it never is. A wall clock time that the change to summer time leaves out is
// due at the next instant that there is, and one that comes twice is due the first time.
func (s Schedule) Next(after time.Time) time.Time {
	return s.walk(after, 1, func(times int, at func(int) time.Time) int {
		return sort.Search(times, func(i int) bool { return at(i).After(after) })
	})
}

// Last returns the last time, up to and with a given one, at which the schedule was due;
// the zero time if it never was.
func (s Schedule) Last(until time.Time) time.Time {
	return s.walk(until, -1, func(times int, at func(int) time.Time) int {
		return sort.Search(times, func(i int) bool { return at(i).After(until) }) - 1
	})
}

// walk goes from day to day, forwards or backwards, and lets pick choose one of a day's
// due times by its index; one that there is not leads to the next day. Times of a
// day do not fall while their index rises, see [Schedule.at].
func (s Schedule) walk(from time.Time, step int, pick func(times int, at func(int) time.Time) int) time.Time {
	if s.zone == nil {
		return time.Time{}
	}
	hours, minutes := s.fields[hour].values(), s.fields[minute].values()
	y, m, d := from.In(s.zone).Date()
	date := time.Date(y, m, d-step, 0, 0, 0, 0, time.UTC) // a day before: a zone may have left one out
	for range horizon {
		if s.onDay(date) {
			at := func(i int) time.Time { return s.at(date, hours[i/len(minutes)], minutes[i%len(minutes)]) }
			times := len(hours) * len(minutes)
			if i := pick(times, at); i >= 0 && i < times {
				return at(i)
			}
		}
		date = date.AddDate(0, 0, step)
	}
	return time.Time{}
}

func (s Schedule) onDay(date time.Time) bool {
	inMonth, inWeek := s.fields[day].has(date.Day()), s.fields[weekday].has(int(date.Weekday()))
	if s.either {
		return s.fields[month].has(int(date.Month())) && (inMonth || inWeek)
	}
	return s.fields[month].has(int(date.Month())) && inMonth && inWeek
}

// at returns the instant at which clocks of the zone show a time first, or have just
// skipped it. It never falls while the time on the clock rises.
func (s Schedule) at(date time.Time, hour, minute int) time.Time {
	wall := date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	t := time.Date(date.Year(), date.Month(), date.Day(), hour, minute, 0, 0, s.zone)
	start, end := t.ZoneBounds()
	switch shown := onClock(t); {
	case shown.After(wall) && !start.IsZero(): // skipped, and t is after the gap
		return start
	case shown.Before(wall) && !end.IsZero(): // skipped, and t is before the gap
		return end
	case start.IsZero():
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(start) {
		return first.In(s.zone)
	}
	return t
}

// onClock is what the clock of t's zone shows, as a time of UTC.
func onClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
