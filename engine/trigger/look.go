package trigger

// maxLooks is how many looks at folders and tables go on at once.
const maxLooks = 8

// looks are those under way and those that wait for their turn.
type looks struct {
	busy  int
	queue []pendingLook
}

type pendingLook struct {
	a    *armed
	look func()
}

// look has a trigger find out what it needs to know, beside the service.
// While it looks nobody else touches it.
func (s *Service) look(a *armed, look func()) {
	a.looking = true
	s.looks.queue = append(s.looks.queue, pendingLook{a, look})
	s.nextLook()
}

func (s *Service) nextLook() {
	for s.looks.busy < maxLooks && len(s.looks.queue) > 0 {
		p := s.looks.queue[0]
		s.looks.queue = s.looks.queue[1:]
		if p.a.gone {
			continue
		}
		s.looks.busy++
		go func() {
			p.look()
			select {
			case s.looked <- p.a:
			case <-s.done:
			}
		}()
	}
}

// lookEnded lets a trigger decide on what it found.
func (s *Service) lookEnded(a *armed) {
	a.looking = false
	s.looks.busy--
	s.book.set(a, s.opt.Now())
	s.nextLook()
}
