"""What more than one service needs: the events and their log, the fold from events to a job, storage, and the models of media."""
