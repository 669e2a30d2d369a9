package engine

// slots shares this machine between the attempts that want to run on it: first
// come, first served within a run, turn by turn between runs.
type slots struct {
	free    int
	waiting map[int64][]*attempt // by run
	turns   []int64              // runs with waiting attempts, next first
}

// want puts an attempt at the end of its run's line.
func (s *slots) want(a *attempt) {
	if s.waiting == nil {
		s.waiting = map[int64][]*attempt{}
	}
	if len(s.waiting[a.run]) == 0 {
		s.turns = append(s.turns, a.run)
	}
	s.waiting[a.run] = append(s.waiting[a.run], a)
}

// next takes a slot for the attempt whose turn it is; nil if no slot is free
// or nobody waits.
func (s *slots) next() *attempt {
	if s.free <= 0 || len(s.turns) == 0 {
		return nil
	}
	run := s.turns[0]
	line := s.waiting[run]
	a := line[0]
	line[0] = nil
	s.turns = s.turns[1:]
	if line = line[1:]; len(line) > 0 {
		s.waiting[run] = line
		s.turns = append(s.turns, run)
	} else {
		delete(s.waiting, run)
	}
	s.free--
	return a
}

// forget takes an attempt out of the line.
func (s *slots) forget(a *attempt) {
	line := s.waiting[a.run]
	for i, w := range line {
		if w != a {
			continue
		}
		line = append(line[:i:i], line[i+1:]...)
		break
	}
	if len(line) > 0 {
		s.waiting[a.run] = line
		return
	}
	delete(s.waiting, a.run)
	for i, run := range s.turns {
		if run == a.run {
			s.turns = append(s.turns[:i:i], s.turns[i+1:]...)
			return
		}
	}
}
