"""The services of Millrace. Each is a process of its own; they meet only on the bus and in the work space."""
