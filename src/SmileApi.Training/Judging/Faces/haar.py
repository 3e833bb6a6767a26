# OpenCV's Haar cascade, asked by HaarCascade.cs through stdin and stdout.
#
#   python3 -c "$(cat haar.py)" CASCADE.xml
#
# It prints OpenCV's version, or "missing". Then it reads how many photographs there are, and each as a line "WIDTH HEIGHT"
# and its grey pixels. After that every line it reads is a minNeighbors, and it answers with a line of JSON: the squares
# found in each photograph, and the seconds of CPU time that finding them took in all.

import json
import sys
import time

try:
    import cv2
    import numpy
except ImportError:
    print("missing")
    sys.exit()

cv2.setNumThreads(1)
cascade = cv2.CascadeClassifier(sys.argv[1])
print(cv2.__version__, flush=True)

stdin = sys.stdin.buffer
photographs = []
for _ in range(int(stdin.readline())):
    width, height = map(int, stdin.readline().split())
    photographs.append(numpy.frombuffer(stdin.read(width * height), numpy.uint8).reshape(height, width))

for line in stdin:
    neighbours = int(line)
    started = time.process_time()
    found = [cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=neighbours, minSize=(16, 16)) for grey in photographs]
    seconds = time.process_time() - started
    squares = [[[int(number) for number in square] for square in squares] for squares in found]
    print(json.dumps({"squares": squares, "seconds": seconds}), flush=True)
