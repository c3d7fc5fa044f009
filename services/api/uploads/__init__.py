"""Files that customers put into the storage of their organization, for jobs to take: begun, completed, given up and removed."""
