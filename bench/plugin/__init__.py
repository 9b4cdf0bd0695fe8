"""What other programs load of celery-bench as ``celery_bench``: Celery ``command``, pytest ``testing``.

Both are loaded by everybody who has celery-bench installed, so they import nothing that is not there anyway.
"""
